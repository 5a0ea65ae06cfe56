# Slicer writes the extension's description from these.
foreach(key HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  standin_record(EXTENSION_${key} ${EXTENSION_${key}})
endforeach()
standin_record(PROJECT_NAME ${PROJECT_NAME})
